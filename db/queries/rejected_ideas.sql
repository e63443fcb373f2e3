-- The proposals that were not taken, and why.
SELECT
    experiments.campaign_id,
    experiments.number,
    proposals.attempt,
    proposals.name,
    proposals.rejection
FROM proposals
JOIN experiments ON experiments.id = proposals.experiment_id
WHERE proposals.rejection IS NOT NULL
ORDER BY experiments.campaign_id, experiments.number, proposals.attempt
