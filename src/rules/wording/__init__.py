"""Sentences for people, in Chinese and in English. Checks give codes and numbers; here they become words.

Nothing in here decides anything: no sentence is compared, and another sentence makes no new judgement.
"""
