/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-counters-private.h"
#include "vt-listener-private.h"

/* A server at one moment, as plain data: what vt-metrics.c and vt-status-page.c write down. */

typedef struct {
  char        *name; /* owned: where it listens, "localhost:9000", its host names, or its own */
  char        *url;  /* owned, nullable: where users find it */
  const char  *state; /* static */
  unsigned int n_streams;
  guint64      bytes_sent; /* into the tunnel */
  guint64      bytes_received;
} VtReportForward;

/* No rate is known before somebody has looked twice. */
#define VT_REPORT_NO_RATE (-1.0)

typedef struct {
  char        *id;      /* owned */
  char        *user;    /* owned, nullable */
  char        *address; /* owned, nullable */
  gint64       opened_at; /* microseconds of Unix time */
  unsigned int protocol;
  unsigned int n_resumed;
  gboolean     connected;
  gint64       rtt; /* microseconds, -1 while unknown */
  unsigned int n_streams;
  guint64      bytes_sent; /* into the tunnel */
  guint64      bytes_received;
  guint64      open_bytes_sent; /* … and of these, those of streams that are open */
  guint64      open_bytes_received;
  double       rate_sent; /* bytes a second, VT_REPORT_NO_RATE */
  double       rate_received;
  size_t       queued;         /* bytes that wait for the WebSocket */
  size_t       unacknowledged; /* v2: bytes kept until the client has them */
  size_t       buffered;       /* bytes that came and wait for users */
  GArray      *forwards;       /* owned, of VtReportForward */
} VtReportSession;

typedef struct {
  gint64      now;        /* microseconds of Unix time, as all times here */
  gint64      started_at;
  VtCounters *counters;   /* owned */
  guint64     accept_pauses[VT_LISTENER_N_PAUSES]; /* of the whole process */
  unsigned int n_arrivals;   /* that have not greeted yet */
  gboolean    is_running;    /* FALSE while it closes or drains */
  GArray     *sessions;      /* owned, of VtReportSession */
} VtReport;

VtReport *vt_report_new (void);
void      vt_report_free (VtReport *self);
/* Empty ones, owned by the report. */
VtReportSession *vt_report_add_session (VtReport *self);
VtReportForward *vt_report_session_add_forward (VtReportSession *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtReport, vt_report_free)
