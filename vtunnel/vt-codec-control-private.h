/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

#include "vt-json-guard-private.h"

/* The control messages of protocol v2 (docs/protocol.md): one JSON object a text message. Pure
 * functions. */
typedef enum {
  VT_CONTROL_UNKNOWN,
  VT_CONTROL_HELLO,
  VT_CONTROL_WELCOME,
  VT_CONTROL_PING,
  VT_CONTROL_PONG,
  VT_CONTROL_LISTEN,
  VT_CONTROL_LISTEN_OK,
  VT_CONTROL_LISTEN_ERR,
  VT_CONTROL_UNLISTEN,
  VT_CONTROL_UNLISTEN_OK,
  VT_CONTROL_GOAWAY,
} VtControlType;

/* `kind` of a listen. */
typedef enum {
  VT_CONTROL_KIND_TCP,
  VT_CONTROL_KIND_HTTP,
  VT_CONTROL_KIND_NONE,
  VT_CONTROL_KIND_UNKNOWN, /* a word of a later version */
} VtControlKind;

/* What one side takes. */
typedef struct {
  guint32 window;      /* bytes: what may be sent on a new stream */
  guint32 max_frame;   /* bytes of a DATA frame's payload */
  guint32 max_message; /* bytes */
} VtControlLimits;

#define VT_CONTROL_MIN_MESSAGE (64 * 1024)
#define VT_CONTROL_MAX_MESSAGE (1024 * 1024)
/* Ours. */
#define VT_CONTROL_WINDOW (16 * 1024)
#define VT_CONTROL_OUR_FRAME (64 * 1024)
#define VT_CONTROL_OUR_MESSAGE (256 * 1024)

/* Each type has some of these; the others are 0 or NULL. Owned. */
typedef struct {
  VtControlType   type;
  char           *agent;          /* hello, nullable */
  char           *session;        /* hello (to resume, else NULL), welcome */
  char           *secret;         /* the same */
  guint64         received;       /* hello with a session, welcome with `resumed` */
  guint64         attempt;        /* hello with a session, 0: not said */
  gboolean        resumed;        /* welcome */
  guint32         resume_timeout; /* seconds: welcome */
  VtControlLimits limits;         /* hello, welcome */
  gint64          t;              /* ping, pong: opaque to whoever answers */
  guint32         id;             /* listen and its answers, unlisten and its answer: not 0 */
  VtControlKind   kind;           /* listen */
  char           *address;        /* listen, listen_ok, nullable */
  guint16         port;           /* listen (0: any), listen_ok */
  char          **names;          /* listen, nullable */
  char           *url;            /* listen_ok, nullable */
  int             code;           /* of VtError: listen_err */
  char           *error;          /* listen_err, for people, nullable */
  guint32         retry_after;    /* seconds, 0: not said: listen_err */
  char           *reason;         /* goaway, nullable */
  guint32         timeout;        /* seconds: goaway */
} VtControl;

/* FALSE with VT_ERROR_PROTOCOL for what is not one JSON object with a `type`, is nested too
 * deeply or is refused by vt-json-guard-private.h, lacks something that its type must have, or
 * holds a known key of its type with a value of a wrong type or range. Unknown keys and null are
 * ignored; an unknown type gives VT_CONTROL_UNKNOWN. */
gboolean vt_codec_control_decode (GBytes      *message,
                                  unsigned int max_depth,
                                  VtControl   *control,
                                  GError     **error);
void     vt_control_clear (VtControl *self);

/* What is 0 or NULL is left out, where it can be. Text that is not UTF-8 is mended. A text that is
 * too long to be read is cut, and names beyond the 64th are left out: that is for people's texts,
 * callers look at addresses and names themselves. `type` and `kind` are known ones. */
GBytes *vt_codec_control_encode (const VtControl *control);

/* Messages that are numbered and acknowledged: all but hello, welcome, ping and pong. */
gboolean vt_control_is_counted (VtControlType type);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtControl, vt_control_clear)
