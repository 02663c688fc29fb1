"""Card statements and exports of violations: files, columns, cells, rows, matching, import."""
