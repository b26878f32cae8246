-- Most notes name ids that are close together, and are found among those near by. The few others are found by an index of
-- their own. So a note is written without reading what thousands of earlier notes have left, which nothing
-- can remove while some transaction pins the xmin horizon. Older processes run beside this: they read more than they need.
create index claim_notes_long on {schema}.claim_notes (lowest_id) where highest_id - lowest_id >= 512;
