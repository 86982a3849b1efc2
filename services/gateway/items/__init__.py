"""The catalogue of items (事项) and bundles (一件事): what can be applied for, how long it takes, what it asks for.

Duty: answer ItemService from `policy/services.yaml`, and search it by words, codes and pinyin initials.
Owns: nothing; the catalogue is law as data and `available` says what this platform does today.
Says and hears no events. Deliberately does not: take an application (cases do that) or decide who is eligible.
"""
