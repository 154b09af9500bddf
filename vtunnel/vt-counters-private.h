/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <vtunnel/vt-error.h>
#include <vtunnel/vt-stream.h>

/* Where the times of round trips are counted: at most so many microseconds, and any. */
#define VT_COUNTERS_N_BOUNDS 12
extern const gint64 vt_counters_bounds[VT_COUNTERS_N_BOUNDS];

#define VT_COUNTERS_N_CODES (VT_ERROR_TLS + 1)
#define VT_COUNTERS_N_STATUSES 9

/* Why a client was not taken. */
typedef enum {
  VT_COUNTERS_FULL,
  VT_COUNTERS_CROWDED,
  VT_COUNTERS_LEAVING,
  VT_COUNTERS_N_REFUSALS,
} VtCountersRefusal;

/* Why a user was reset at once. */
typedef enum {
  VT_COUNTERS_NO_ROOM,         /* no stream could be opened */
  VT_COUNTERS_NO_PROXY_HEADER, /* none in time, or none that can be read */
  VT_COUNTERS_N_USER_REFUSALS,
} VtCountersUserRefusal;

/* What has happened on a server since it was made: plain numbers, which are there whether or not
 * anybody asks. Reference-counted, since a session can outlive its server for a moment. */
typedef struct {
  guint64 connections;  /* to the server's own ports */
  guint64 tls_failures; /* handshakes */
  guint64 requests_refused[VT_COUNTERS_N_STATUSES]; /* by status, see below */
  guint64 sessions_opened[2];                       /* of version 1 and 2 */
  guint64 sessions_refused[VT_COUNTERS_N_REFUSALS];
  guint64 sessions_resumed;
  guint64 forwards_opened;
  guint64 forwards_refused[VT_COUNTERS_N_CODES]; /* by VtError */
  guint64 streams_opened;
  guint64 streams_failed;
  guint64 users_refused[VT_COUNTERS_N_USER_REFUSALS];
  guint64 bytes_sent;    /* of streams that are over: into the tunnel, … */
  guint64 bytes_received;
  guint64 round_trips[VT_COUNTERS_N_BOUNDS + 1]; /* those up to this bound and beyond the former */
  gint64  round_trip_sum;                        /* microseconds */
} VtCounters;

VtCounters *vt_counters_new (void);
VtCounters *vt_counters_ref (VtCounters *self);
void        vt_counters_unref (VtCounters *self);

void vt_counters_note_request_refused (VtCounters *self, unsigned int status);
/* The status that the place in `requests_refused` is for, 0 for all others. */
unsigned int vt_counters_get_status (size_t index);
void         vt_counters_note_forward_refused (VtCounters *self, const GError *error);
void         vt_counters_note_round_trip (VtCounters *self, gint64 microseconds);
/* `error` is nullable. */
void vt_counters_note_stream_over (VtCounters *self, VtStream *stream, const GError *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtCounters, vt_counters_unref)
