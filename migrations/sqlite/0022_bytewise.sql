-- Texts compare and sort by their bytes here anyway.
SELECT 1;
