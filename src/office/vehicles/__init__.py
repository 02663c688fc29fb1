"""The file of a vehicle (一车一档): its maintenance (``steps``: the table, pure; ``repair``: what a thread comes to, pure; ``repairs``: one
step in one transaction), documents, reminders of papers that end, the swap of plates. What papers there are is the registry's."""
