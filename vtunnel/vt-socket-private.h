/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* What GIO does with a socket only by detours, or not at all. Nothing here blocks. */

/* As those of GPollableInputStream and GPollableOutputStream: -1 with an error of G_IO_ERROR, which
 * may be WOULD_BLOCK; 0 from read is the end. */
gssize vt_socket_read (int fd, void *buffer, size_t size, GError **error);
gssize vt_socket_write (int fd, const void *data, size_t length, GError **error);
/* The same, from and to several places in a row. */
gssize vt_socket_readv (int fd, const GInputVector *vectors, size_t n_vectors, GError **error);
gssize vt_socket_writev (int fd, const GOutputVector *vectors, size_t n_vectors, GError **error);

/* Bytes that were written and have not left yet; of a Unix socket about those that its peer has not
 * read, rather fewer. -1 where the system does not say. */
gssize vt_socket_get_unsent (int fd);

/* When the socket is closed, its peer sees a reset. */
void vt_socket_arm_reset (int fd);

/* The socket at the bottom of a stream, under TLS too; NULL if there is none. A new reference. */
GSocket *vt_socket_find (GIOStream *stream);
