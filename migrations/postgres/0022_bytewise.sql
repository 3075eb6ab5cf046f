-- Texts compare and sort by their bytes, as on SQLite, whatever the language of the server: an index
-- of ids need not ask its rules for every comparison. Those of tables to come say COLLATE "C" too.
DO $$
DECLARE
    change TEXT;
BEGIN
    FOR change IN
        SELECT format('ALTER TABLE %I ', c.table_name)
            || string_agg(format('ALTER COLUMN %I TYPE TEXT COLLATE "C"', c.column_name), ', ' ORDER BY c.ordinal_position)
        FROM information_schema.columns c
        JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
        WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.table_name <> '_sqlx_migrations'
          AND c.data_type = 'text' AND c.collation_name IS DISTINCT FROM 'C'
        GROUP BY c.table_name
    LOOP
        EXECUTE change;
    END LOOP;
END
$$;
