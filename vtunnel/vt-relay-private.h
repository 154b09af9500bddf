/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vt-relay-dial-private.h"
#include "vt-stream-private.h"

/* Joins a stream and a local connection, both ways, until both are over; on the client's side it
 * dials the target first. Lives by itself until `finished`, or until it is freed. */
typedef struct _VtRelay VtRelay;

/* The last event; the relay may be freed in it. `error` is NULL if all ended in order. */
typedef void (*VtRelayFunc) (VtRelay *relay, const GError *error, void *user_data);

/* Server: `fd` is the user's connection, and is taken. `begun` is nullable: what was read from it
 * already, and is sent first. */
VtRelay *vt_relay_new_for_user (VtStream   *stream,
                                int         fd,
                                GByteArray *begun,
                                VtRelayFunc finished,
                                void       *user_data);

/* Client: for the target of the stream's forward. A TLS target is verified with `trust`, or with
 * what the system trusts if that is NULL. */
VtRelay *vt_relay_new_for_target (VtStream     *stream,
                                  GTlsDatabase *trust,
                                  VtRelayFunc   finished,
                                  void         *user_data);

/* Client: dials the target, within 30 s, once; the quota outlives the relay. The relay may be
 * finished when this returns. */
void vt_relay_dial (VtRelay *self, VtDialQuota *quota);

/* Resets what is not over; `finished` does not come. vt_stream_finish () is called with `error`
 * (VT_ERROR_CANCELLED if NULL) unless it was before. */
void vt_relay_free (VtRelay *self, const GError *error);
