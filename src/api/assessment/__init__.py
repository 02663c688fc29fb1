"""Assessment of units (考核评分): scoring tables, sheets, ranking, objections."""
