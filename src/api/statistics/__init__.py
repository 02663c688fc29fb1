"""Numbers for people who look (统计, 驾驶舱, 数据质量): each with the query of the list that shows what was counted."""
