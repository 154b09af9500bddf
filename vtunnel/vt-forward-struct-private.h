/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-forward-private.h"
#include "vt-list-private.h"

/* For the files of VtForward only: the class (vt-forward.c), what is asked for
 * (vt-forward-settings.c, vt-forward-options.c), and what came of it (vt-forward-status.c). */
struct _VtForward {
  GObject parent_instance;

  /* What was asked for. */
  VtListenKind listen_kind;
  char *name;           /* owned, nullable */
  char **host_names;    /* owned, nullable, normalized patterns */
  char *listen_address; /* owned, NULL: where the server pleases */
  guint16 listen_port;
  VtTarget *target; /* owned, NULL: the application takes the streams */
  VtHostHeaderMode host_header_mode;
  char *host_header; /* owned, set exactly if the mode is REPLACE */
  unsigned int proxy_protocol;
  VtForwardedHeaders forwarded_headers;
  gboolean http;
  unsigned int health_interval; /* seconds */

  /* What came of it. */
  VtForwardState state;
  GError *error; /* owned */
  guint16 bound_port;
  char *url;      /* owned, nullable */
  gpointer owner; /* never followed */
  VtForwardDialFunc dialled; /* nullable */
  void *dialled_data;        /* the caller's */

  VtList *streams; /* owned, of VtStream, the open ones */
  /* Of the streams that are over. */
  guint64 ended_bytes_sent;
  guint64 ended_bytes_received;
};

typedef enum {
  VT_FORWARD_PROP_LISTEN_KIND = 1,
  VT_FORWARD_PROP_NAME,
  VT_FORWARD_PROP_HOST_NAMES,
  VT_FORWARD_PROP_LISTEN_ADDRESS,
  VT_FORWARD_PROP_LISTEN_PORT,
  VT_FORWARD_PROP_TARGET,
  VT_FORWARD_PROP_HOST_HEADER_MODE,
  VT_FORWARD_PROP_HOST_HEADER,
  VT_FORWARD_PROP_PROXY_PROTOCOL,
  VT_FORWARD_PROP_FORWARDED_HEADERS,
  VT_FORWARD_PROP_HTTP,
  VT_FORWARD_PROP_HEALTH_INTERVAL,
  VT_FORWARD_PROP_STATE,
  VT_FORWARD_PROP_ERROR,
  VT_FORWARD_PROP_BOUND_PORT,
  VT_FORWARD_PROP_URL,
  VT_FORWARD_PROP_N_STREAMS,
  VT_FORWARD_PROP_BYTES_SENT,
  VT_FORWARD_PROP_BYTES_RECEIVED,
} VtForwardProp;

extern GParamSpec *vt_forward_props[VT_FORWARD_PROP_BYTES_RECEIVED + 1];
