"""Notices and publications (信息发布): to whom, frozen with their hash, who has read them."""
