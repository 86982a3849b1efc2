"""The rules of the electronic card (电子社保卡), as pure functions.

Numbers, passwords, usability, steps and what a code says; nothing here touches a key, a clock or a row.
"""
