/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <libsoup/soup.h>

/* Which version of the protocol a WebSocket is for. v2 is a subprotocol that the client offers and
 * the server selects; without one both speak v1. */

/* What clients and servers offer and select if they are told nothing else, 1 or 2. */
#define VT_NEGOTIATION_DEFAULT_MAX 2

/* The header field that offers and selects. */
#define VT_NEGOTIATION_FIELD "Sec-WebSocket-Protocol"

/* What of `max_protocol` is to be offered or selected: $VT_PROTOCOL can make it less. */
unsigned int vt_negotiation_limit (unsigned int max_protocol);

/* NULL-terminated, static: the subprotocols that stand for the versions up to this one; NULL if
 * there are none. */
const char *const *vt_negotiation_get_subprotocols (unsigned int max_protocol);

/* Server: what the request offers, of what is allowed. */
unsigned int vt_negotiation_find (SoupServerMessage *message, unsigned int max_protocol);
/* Server: writes the subprotocol into the answer, if the request offers one that is known and
 * allowed. libsoup's part of the handshake is to be done without naming any: it refuses a client
 * that offers only others. */
void vt_negotiation_select (SoupServerMessage *message, unsigned int max_protocol);

/* What was agreed. */
unsigned int vt_negotiation_get_protocol (SoupWebsocketConnection *connection);
