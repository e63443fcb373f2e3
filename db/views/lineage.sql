-- Every experiment under its parent, with the change in fitness and the depth below the root.
CREATE VIEW lineage AS
WITH RECURSIVE tree (experiment_id, depth) AS (
    SELECT id, 0 FROM experiments WHERE parent_id IS NULL
    UNION ALL
    SELECT child.id, tree.depth + 1
    FROM experiments AS child
    JOIN tree ON tree.experiment_id = child.parent_id
)
SELECT
    child.campaign_id,
    child.id AS experiment_id,
    child.number,
    child.kind,
    child.name,
    child.status,
    child.fitness,
    child.parent_id,
    child.fitness - parent.fitness AS difference,
    tree.depth
FROM tree
JOIN experiments AS child ON child.id = tree.experiment_id
LEFT JOIN experiments AS parent ON parent.id = child.parent_id
