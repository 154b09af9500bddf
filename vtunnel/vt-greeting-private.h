/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-codec-control-private.h"

/* How a session of v2 begins and goes on: the client says hello, the server welcomes it. */

/* What names a session between its two sides, and proves whose it is: 128 bits each. No log, no
 * property and no third party ever sees them. */
typedef struct {
  char *session; /* owned */
  char *secret;  /* owned */
} VtCredentials;

/* New ones. FALSE with VT_ERROR_FAILED if the kernel has no random numbers. */
gboolean vt_credentials_init (VtCredentials *self, GError **error);
void     vt_credentials_copy (VtCredentials *self, const char *session, const char *secret);
void     vt_credentials_clear (VtCredentials *self);
/* In constant time. */
gboolean vt_credentials_match (const VtCredentials *self, const char *session, const char *secret);

/* Either side's word on a session, and on what it has of it already. */
typedef struct {
  const VtCredentials *credentials;
  guint64              received; /* 0 in a new session */
  guint64              attempt;  /* hello: counts the client's attempts to resume this session */
} VtResumption;

/* `resumption` NULL begins a new session. */
GBytes *vt_greeting_new_hello (const VtControlLimits *limits, const VtResumption *resumption);
/* `resume_timeout` in seconds. */
GBytes *vt_greeting_new_welcome (const VtControlLimits *limits,
                                 const VtResumption    *resumption,
                                 gboolean               resumed,
                                 guint32                resume_timeout);

/* The other side's greeting, which must be of the expected type. FALSE with VT_ERROR_PROTOCOL. */
gboolean vt_greeting_read (GBytes       *message,
                           gboolean      text,
                           unsigned int  max_json_depth,
                           VtControlType expected,
                           VtControl    *greeting,
                           GError      **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtCredentials, vt_credentials_clear)
