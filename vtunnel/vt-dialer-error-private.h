/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <libsoup/soup.h>

#include "vt-dialer-private.h"

/* What is known of a dial that failed. */
typedef struct {
  SoupMessage *message; /* not owned */
  unsigned int refused_status; /* the HTTP answer that settled it, 0: none came */
  unsigned int deadline_seconds;
  gboolean     timed_out;
  gboolean     old_tls;  /* there was TLS before 1.2 */
  const char  *unpinned; /* not owned, nullable: the certificate that was shown, as a pin */
} VtDialerFailure;

/* Says in words, and as VT_ERROR, why there is no WebSocket. `error` is libsoup's. Nothing of the
 * address that can hold a secret is repeated. */
GError *vt_dialer_error_new (const VtDialerFailure *failure, const GError *error);
/* Says whether it is worth trying again, and after how long. */
VtDialOutcome vt_dialer_error_judge (const VtDialerFailure *failure, const GError *error);
