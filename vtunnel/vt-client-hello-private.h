/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

/* The first byte of a connection of TLS: a record of the handshake. */
#define VT_CLIENT_HELLO_FIRST 0x16

typedef enum {
  VT_CLIENT_HELLO_MORE,   /* not all of it is there */
  VT_CLIENT_HELLO_NAMED,  /* it names the host that it wants to speak with */
  VT_CLIENT_HELLO_UNNAMED, /* it does not */
  VT_CLIENT_HELLO_BROKEN, /* it is none */
} VtClientHelloStep;

/* Reads what a connection of TLS begins with, be it in one record or several (RFC 8446, 4.1.2;
 * RFC 6066, 3). `name` is newly allocated where there is one: as it was sent, but small letters.
 * Pure. */
VtClientHelloStep vt_client_hello_read (const uint8_t *data, size_t length, char **name);

/* The record with which a server says that it knows no such host, and that all is over (RFC 6066):
 * a fatal alert. */
#define VT_CLIENT_HELLO_ALERT "\x15\x03\x01\x00\x02\x02\x70"
#define VT_CLIENT_HELLO_N_ALERT 7
