-- Which checks stop candidates: how many failed each, and how many of those passed it in the end.
SELECT
    tried.campaign_id,
    tried.check_name,
    COUNT(*) AS experiments,
    SUM(tried.failed_once) AS failed_once,
    SUM(CASE WHEN tried.failed_once = 1 AND last.passed THEN 1 ELSE 0 END) AS repaired
FROM (
    SELECT
        experiments.campaign_id,
        findings.experiment_id,
        findings.check_name,
        MAX(CASE WHEN findings.passed THEN 0 ELSE 1 END) AS failed_once,
        MAX(findings.round) AS last_round
    FROM findings
    JOIN experiments ON experiments.id = findings.experiment_id
    GROUP BY experiments.campaign_id, findings.experiment_id, findings.check_name
) AS tried
JOIN findings AS last
    ON last.experiment_id = tried.experiment_id
    AND last.check_name = tried.check_name
    AND last.round = tried.last_round
GROUP BY tried.campaign_id, tried.check_name
ORDER BY tried.campaign_id, failed_once DESC, tried.check_name
