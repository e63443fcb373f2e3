-- How much the held-out loss of one program varies with the seed, by stage: the standard deviation
-- between seeds, pooled over the experiments with at least two seeds. Gaps below it mean little.
SELECT
    experiments.campaign_id,
    runs.stage,
    COUNT(*) AS runs,
    COUNT(DISTINCT runs.experiment_id) AS experiments,
    SQRT(
        SUM((runs.loss - means.loss) * (runs.loss - means.loss))
        / (COUNT(*) - COUNT(DISTINCT runs.experiment_id))
    ) AS spread
FROM runs
JOIN experiments ON experiments.id = runs.experiment_id
JOIN (
    SELECT experiment_id, stage, AVG(loss) AS loss
    FROM runs
    WHERE status = 'complete' AND loss IS NOT NULL
    GROUP BY experiment_id, stage
    HAVING COUNT(*) > 1
) AS means ON means.experiment_id = runs.experiment_id AND means.stage = runs.stage
WHERE runs.status = 'complete' AND runs.loss IS NOT NULL
GROUP BY experiments.campaign_id, runs.stage
ORDER BY experiments.campaign_id, runs.stage
