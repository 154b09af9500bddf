/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <gio/gio.h>

/* Reads the header of the PROXY protocol (HAProxy's proxy-protocol.txt), version 1 or 2, as
 * vt-proxy-header-private.h writes it. Pure. */

/* The line of version 1 may have 107 bytes. Version 2 could say 64 KiB; what comes behind the
 * addresses there is small in practice, and nothing of it is of use here. */
#define VT_PROXY_READER_MAX_BYTES (16 + 2048)

typedef enum {
  VT_PROXY_READER_MORE, /* what is there is the beginning of a header, all of it */
  VT_PROXY_READER_DONE, /* `length` is set, and the addresses are where the sender knows them */
  VT_PROXY_READER_BAD,  /* no header, or one that is not as the protocol has it */
} VtProxyReaderResult;

typedef struct {
  size_t          length;      /* bytes of the header; what follows is the connection's own */
  GSocketAddress *source;      /* owned; NULL: LOCAL, UNKNOWN or no TCP over IP, as below */
  GSocketAddress *destination; /* owned; NULL exactly if `source` is */
} VtProxySource;

void vt_proxy_source_clear (VtProxySource *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtProxySource, vt_proxy_source_clear)

/* `source` is zeroed if it is not DONE. A mapped IPv4 address is given as one of IPv4. */
VtProxyReaderResult vt_proxy_reader_read (const uint8_t *data,
                                          size_t         length,
                                          VtProxySource *source);
