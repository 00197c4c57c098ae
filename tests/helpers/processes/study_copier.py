"""A process that copies a study and waits before every step, so that a test can kill it there.

python -m tests.helpers.processes.study_copier STUDY URL FOLDER TO_URL TO_FOLDER

Prints what was copied, and continues at a line on standard input.
"""

import sys
from pathlib import Path

from nlb_search.storage.database.urls import parse_url
from nlb_search.storage.study_copying import StudyLocation, copy_study

name, url, folder, to_url, to_folder = sys.argv[1:]
source, target = StudyLocation(parse_url(url), Path(folder)), StudyLocation(parse_url(to_url), Path(to_folder))
for copied in copy_study(name, source, target):
    print(copied.what, flush=True)
    sys.stdin.readline()
