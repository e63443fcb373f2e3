-- Every candidate and baseline with what it reached, ranked by fitness within its campaign.
CREATE VIEW leaderboard AS
WITH means AS (
    SELECT
        experiment_id,
        stage,
        COUNT(*) AS seeds,
        AVG(loss) AS loss,
        AVG(loss_error) AS loss_error,
        MAX(parameters) AS parameters,
        AVG(tokens_per_second) AS tokens_per_second
    FROM runs
    WHERE status = 'complete' AND loss IS NOT NULL
    GROUP BY experiment_id, stage
),
squares AS (
    SELECT runs.experiment_id, runs.stage, SUM((runs.loss - means.loss) * (runs.loss - means.loss)) AS total
    FROM runs
    JOIN means ON means.experiment_id = runs.experiment_id AND means.stage = runs.stage
    WHERE runs.status = 'complete' AND runs.loss IS NOT NULL
    GROUP BY runs.experiment_id, runs.stage
),
stages AS (
    SELECT
        means.*,
        CASE
            WHEN means.seeds > 1 THEN SQRT(squares.total / (means.seeds - 1) / means.seeds)
            ELSE means.loss_error
        END AS error
    FROM means
    JOIN squares ON squares.experiment_id = means.experiment_id AND squares.stage = means.stage
),
recalls AS (
    SELECT runs.experiment_id, AVG(scores.value) AS accuracy
    FROM scores
    JOIN runs
        ON runs.experiment_id = scores.experiment_id
        AND runs.stage = scores.stage
        AND runs.seed = scores.seed
    WHERE scores.benchmark = 'overwrite' AND scores.metric = 'accuracy' AND runs.status = 'complete'
    GROUP BY runs.experiment_id
)
SELECT
    experiments.campaign_id,
    CASE
        WHEN experiments.fitness IS NOT NULL
        THEN RANK() OVER (
            PARTITION BY experiments.campaign_id
            ORDER BY experiments.fitness IS NULL, experiments.fitness DESC
        )
    END AS rank,
    experiments.id AS experiment_id,
    experiments.number,
    experiments.kind,
    experiments.name,
    experiments.status,
    experiments.parent_id,
    experiments.fitness,
    explore.loss AS explore_loss,
    explore.error AS explore_error,
    COALESCE(explore.seeds, 0) AS explore_seeds,
    recalls.accuracy AS recall,
    confirm.loss AS confirm_loss,
    confirm.error AS confirm_error,
    COALESCE(confirm.seeds, 0) AS confirm_seeds,
    explore.parameters,
    explore.tokens_per_second
FROM experiments
LEFT JOIN stages AS explore
    ON explore.experiment_id = experiments.id AND explore.stage = 'explore'
LEFT JOIN stages AS confirm
    ON confirm.experiment_id = experiments.id AND confirm.stage = 'confirm'
LEFT JOIN recalls ON recalls.experiment_id = experiments.id
