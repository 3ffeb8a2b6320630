"""Tables of the session index (SQLite), their version, and how an older index is brought up to it."""

from __future__ import annotations

import sqlite3

SCHEMA_VERSION = 2

HEALTH = """
CREATE TABLE IF NOT EXISTS health (
    id INTEGER PRIMARY KEY, t_ns INTEGER NOT NULL, frames INTEGER, lost_frames INTEGER, most_queued INTEGER,
    sync_ms REAL, free_bytes INTEGER);
"""

# SQL that takes an index from the version that is the key to the next one.
MIGRATIONS: dict[int, str] = {1: HEALTH}

# Tables written while recording (rebuilt from the blobs by `wildgrasp repair`).
RECORDING = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);            -- value: JSON
CREATE TABLE IF NOT EXISTS frames (
    id INTEGER PRIMARY KEY, t_ns INTEGER NOT NULL, t_device_ns INTEGER NOT NULL,
    file TEXT NOT NULL, offset INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, t_ns INTEGER NOT NULL, kind TEXT NOT NULL,
    uncertainty_ns INTEGER NOT NULL, detail TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS servo (
    id INTEGER PRIMARY KEY, t_ns INTEGER NOT NULL, opening REAL, speed REAL, load REAL,
    temperature_c REAL, voltage_v REAL, moving INTEGER, error INTEGER);
CREATE TABLE IF NOT EXISTS gaps (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL, t_start_ns INTEGER, t_end_ns INTEGER,
    reason TEXT, lost_frames INTEGER);
"""

# Camera poses, per frame and source: 'recorded' (came with the data set), 'tracking' (processing), 'arm' (robot runs).
# x…qw is T_world_camera; status: ok | predicted | lost; sigma_m: one standard deviation of the position.
POSES = """
CREATE TABLE IF NOT EXISTS poses (
    source TEXT NOT NULL, frame_id INTEGER NOT NULL, x REAL, y REAL, z REAL, qx REAL, qy REAL, qz REAL, qw REAL,
    status TEXT NOT NULL, sigma_m REAL, PRIMARY KEY (source, frame_id));
"""

# Processing. outcome: held | empty | dropped | unfinished; masks: kind gripper (session-wide, attempt_id NULL) |
# object; gx…gqw: the final grasp pose T_world_fingertip.
PROCESSING = """
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY, t_press_ns INTEGER, t_release_ns INTEGER, frame_start INTEGER, frame_grasp INTEGER,
    frame_release INTEGER, frame_end INTEGER, outcome TEXT, reason TEXT, tracking TEXT,
    gx REAL, gy REAL, gz REAL, gqx REAL, gqy REAL, gqz REAL, gqw REAL);
CREATE TABLE IF NOT EXISTS masks (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, attempt_id INTEGER, frame_id INTEGER,
    file TEXT, offset INTEGER, score REAL);
CREATE TABLE IF NOT EXISTS steps (name TEXT PRIMARY KEY, version TEXT, config TEXT, finished TEXT, report TEXT);
"""

# Robot runs. One row per decision; candidates, values and (if kept) views stand in an ARRAY record.
ROBOT = """
CREATE TABLE IF NOT EXISTS episodes (
    id INTEGER PRIMARY KEY, t_start_ns INTEGER, t_end_ns INTEGER, steps INTEGER, outcome TEXT, reason TEXT,
    success INTEGER, width_m REAL, detail TEXT);
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY, episode_id INTEGER, step INTEGER, frame_id INTEGER, t_ns INTEGER, kind TEXT, chosen INTEGER,
    value REAL, fuse_ms REAL, views_ms REAL, q_ms REAL, file TEXT, offset INTEGER);
CREATE TABLE IF NOT EXISTS transitions (
    id INTEGER PRIMARY KEY, episode_id INTEGER, t_ns INTEGER, state TEXT, reason TEXT);
"""

ALL = RECORDING + HEALTH + POSES + PROCESSING + ROBOT

# Tables whose rows the writer also keeps as ROW records (so `wildgrasp repair` rebuilds them), and those that only
# processing fills (repair carries them over, or `wildgrasp process` makes them again).
ROW_TABLES = ("poses", "episodes", "decisions", "transitions")
DERIVED_TABLES = ("poses", "attempts", "masks", "steps")

# Columns that name frames.
FRAME_COLUMNS = {
    "poses": ("frame_id",),
    "masks": ("frame_id",),
    "decisions": ("frame_id",),
    "attempts": ("frame_start", "frame_grasp", "frame_release", "frame_end"),
}


def strays(column: str) -> str:
    """SQL condition for rows whose frame does not exist."""
    return f"{column} IS NOT NULL AND {column} NOT IN (SELECT id FROM frames)"


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring an index of an older version up to this one, all or nothing. The blobs never change."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, SCHEMA_VERSION):
            for statement in MIGRATIONS[step].split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
