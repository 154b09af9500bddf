/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* A tunnel as the session service tells of it. What it says is only copied here: it may be
 * anything, and is checked for its type and nothing else. Times are microseconds, of the real-time
 * clock where they are no durations. */

/* As many as the widest graph has columns. */
#define VT_TOOL_MAX_RATES 60

typedef struct {
  char        *listen;         /* owned */
  char        *target;         /* owned */
  char        *host_header;    /* owned, NULL if there is none */
  unsigned int proxy_protocol; /* 0 if there is none */
  char        *forwarded;      /* owned, NULL if there is none */
  gboolean     http;
  unsigned int health; /* seconds, 0 if there is none */

  /* From statistics. */
  guint16      bound_port; /* 0 while it is not known */
  char        *url;        /* owned, of host names, empty while it is not known */
  char        *state;      /* owned, empty while it is not known */
  char        *error;      /* owned, may be empty */
  unsigned int n_streams;
  guint64      bytes_sent;
  guint64      bytes_received;

  /* From two statistics, in bytes a second. */
  guint64      rate_sent;
  guint64      rate_received;
  guint64      rates[VT_TOOL_MAX_RATES]; /* both together, the oldest first */
  unsigned int n_rates;
} VtToolForward;

typedef struct {
  unsigned int id;
  char        *listen;       /* owned */
  char        *user_address; /* owned */
  gint64       opened_at;
  guint64      bytes_sent;
  guint64      bytes_received;
} VtToolStream;

typedef struct {
  char        *path; /* owned */
  char        *id;   /* owned, as all texts here; none is NULL */
  char        *name;
  char        *uri;
  char        *lifetime;
  char        *owner;
  char        *state;
  char        *error_name;
  char        *error_message;
  gboolean     autoconnect;
  gint64       connected_since;
  gint64       next_retry;
  unsigned int active_streams;
  GPtrArray   *forwards; /* owned, of owned VtToolForward */

  /* From statistics. */
  gboolean     has_statistics;
  guint64      bytes_sent;
  guint64      bytes_received;
  guint64      streams_opened;
  unsigned int n_resumed;
  gint64       round_trip; /* -1 while it is not known */
  gint64       last_seen;
  unsigned int protocol;
  GPtrArray   *streams;       /* owned, of owned VtToolStream */
  gint64       statistics_at; /* of the monotonic clock; 0: there were none */
} VtToolTunnel;

VtToolTunnel *vt_tool_tunnel_new (const char *path);
void          vt_tool_tunnel_free (VtToolTunnel *self);

/* An a{sv} of properties of the interface Tunnel; those that are missing stay as they are. */
void vt_tool_tunnel_set_properties (VtToolTunnel *self, GVariant *properties);
/* Those that a proxy of that interface knows. */
void vt_tool_tunnel_read_proxy (VtToolTunnel *self, GDBusProxy *proxy);
/* What GetStatistics answers; `now` is of the monotonic clock. */
void vt_tool_tunnel_set_statistics (VtToolTunnel *self, GVariant *statistics, gint64 now);
/* Nothing moves any more, and nobody is connected. */
void vt_tool_tunnel_clear_statistics (VtToolTunnel *self);

/* The name or, without one, the id. */
const char *vt_tool_tunnel_get_title (const VtToolTunnel *self);
gboolean    vt_tool_tunnel_is_called (const VtToolTunnel *self, const char *name);
/* By name, and then by id: GCompareFunc for a GPtrArray. */
int vt_tool_tunnel_compare (const void *a, const void *b);

/* The left side with the port that it has become: "127.0.0.1:41022". New. */
char *vt_tool_forward_get_source (const VtToolForward *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (VtToolTunnel, vt_tool_tunnel_free)
