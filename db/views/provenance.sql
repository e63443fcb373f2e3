-- Where the ideas come from: components of the taken proposals by origin and category, over all
-- candidates and over the best quarter (at least one) of the complete ones.
CREATE VIEW provenance AS
WITH ranked AS (
    SELECT
        id,
        ROW_NUMBER() OVER (PARTITION BY campaign_id ORDER BY fitness DESC, number) AS place,
        COUNT(*) OVER (PARTITION BY campaign_id) AS complete
    FROM experiments
    WHERE kind = 'candidate' AND status = 'complete' AND fitness IS NOT NULL
),
parts AS (
    SELECT
        experiments.campaign_id,
        components.origin,
        components.category,
        CASE WHEN components.unsupported = '' THEN 0 ELSE 1 END AS unsupported,
        CASE WHEN ranked.place = 1 OR ranked.place * 4 <= ranked.complete THEN 1 ELSE 0 END AS best
    FROM components
    JOIN proposals
        ON proposals.experiment_id = components.experiment_id
        AND proposals.attempt = components.attempt
        AND proposals.rejection IS NULL
    JOIN experiments ON experiments.id = proposals.experiment_id
    LEFT JOIN ranked ON ranked.id = experiments.id
    WHERE experiments.kind = 'candidate'
),
totals AS (
    SELECT campaign_id, COUNT(*) AS components, SUM(best) AS best_components
    FROM parts
    GROUP BY campaign_id
)
SELECT
    parts.campaign_id,
    parts.origin,
    parts.category,
    COUNT(*) AS components,
    SUM(parts.unsupported) AS unsupported,
    CAST(COUNT(*) AS DOUBLE PRECISION) / totals.components AS share,
    SUM(parts.best) AS best_components,
    COALESCE(
        CAST(SUM(parts.best) AS DOUBLE PRECISION) / NULLIF(totals.best_components, 0), 0
    ) AS best_share
FROM parts
JOIN totals ON totals.campaign_id = parts.campaign_id
GROUP BY
    parts.campaign_id, parts.origin, parts.category, totals.components, totals.best_components
