"""Messages to people outside of the program: e-mail, webhooks, bots of group chats. What is told, and to whom, comes from
``messages`` (office.supervision); here is how it gets there."""
