-- What was used: language model calls by role and model, and training by stage.
CREATE VIEW spend AS
SELECT
    experiments.campaign_id,
    'calls' AS kind,
    calls.role AS name,
    calls.model,
    COUNT(*) AS count,
    SUM(CASE WHEN calls.status = 'failed' THEN 1 ELSE 0 END) AS failed,
    CAST(SUM(calls.prompt_tokens + calls.completion_tokens) AS BIGINT) AS tokens,
    CAST(SUM(calls.cached_tokens) AS BIGINT) AS cached_tokens,
    SUM(calls.cost) AS cost,
    COALESCE(SUM(calls.seconds), 0) AS seconds
FROM calls
JOIN experiments ON experiments.id = calls.experiment_id
GROUP BY experiments.campaign_id, calls.role, calls.model
UNION ALL
SELECT
    experiments.campaign_id,
    'training' AS kind,
    runs.stage AS name,
    '' AS model,
    COUNT(*) AS count,
    SUM(CASE WHEN runs.status <> 'complete' THEN 1 ELSE 0 END) AS failed,
    CAST(COALESCE(SUM(runs.tokens), 0) AS BIGINT) AS tokens,
    0 AS cached_tokens,
    NULL AS cost,
    COALESCE(SUM(runs.seconds), 0) AS seconds
FROM runs
JOIN experiments ON experiments.id = runs.experiment_id
GROUP BY experiments.campaign_id, runs.stage
