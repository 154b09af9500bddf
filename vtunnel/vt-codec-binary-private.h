/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

/* The stream frames of protocol v2 (docs/protocol.md): one or more, back to back, in a binary
 * message. Pure functions. "Frame" is never a WebSocket's here. */
typedef enum {
  VT_BINARY_OPEN = 1,
  VT_BINARY_OPENED = 2,
  VT_BINARY_DATA = 3,
  VT_BINARY_EOF = 4,
  VT_BINARY_RESET = 5,
  VT_BINARY_CREDIT = 6,
  VT_BINARY_ACK = 7,
} VtBinaryType;

#define VT_BINARY_HEADER 12
#define VT_BINARY_MAX_REASON 123

typedef struct {
  VtBinaryType   type;
  guint32        stream;
  guint32        length;
  const uint8_t *payload; /* not owned: in the message; NULL if `length` is 0 */
} VtBinaryFrame;

/* Takes the next frame from `*at`, which is moved behind it. FALSE with VT_ERROR_PROTOCOL for an
 * unknown type, a bit that is not 0, a stream that is 0, a length that is not the type's, is above
 * `max_frame` (DATA only) or goes beyond `end`, for a payload that cannot be read, and for each
 * ACK: one that is as it should be is read by vt_codec_binary_read_ack (). What is given passes
 * the functions below. `*at` must be below `end`; it stays where it is when FALSE is given. */
gboolean vt_codec_binary_next (const uint8_t **at,
                               const uint8_t  *end,
                               guint32         max_frame,
                               VtBinaryFrame  *frame,
                               GError        **error);

/* TRUE if the message is one ACK and nothing else. An ACK that is not alone, or is not
 * well-formed, is nobody's: vt_codec_binary_next () refuses it. */
gboolean vt_codec_binary_read_ack (const uint8_t *message, size_t length, guint64 *received);

/* Where a connection comes from or went to. */
typedef struct {
  uint8_t family; /* 0: not known, 4, 6 */
  guint16 port;
  uint8_t bytes[16]; /* of which an IPv4 address fills four */
} VtBinaryAddress;

/* Type, length and value of something that later versions say of a stream. */
typedef struct {
  guint16        type;
  guint16        length;
  const uint8_t *value; /* not owned */
} VtBinaryEntry;

typedef struct {
  guint32         listen_id;
  VtBinaryAddress user;
  VtBinaryAddress local; /* the address that the user connected to */
  const uint8_t  *entries; /* not owned; NULL if there are none */
  size_t          entries_length;
} VtBinaryOpen;

void vt_codec_binary_read_open (const VtBinaryFrame *frame, VtBinaryOpen *open);
/* Takes the next entry from `*at`; FALSE at the end. */
gboolean vt_codec_binary_next_entry (const uint8_t **at, const uint8_t *end, VtBinaryEntry *entry);
guint64 vt_codec_binary_read_credit (const VtBinaryFrame *frame);
/* Gives the code, of VtError: one that is not known is VT_ERROR_FAILED. `*reason` is valid UTF-8
 * and newly allocated; what was none is replaced, so that it can be longer than it was. */
int vt_codec_binary_read_reset (const VtBinaryFrame *frame, char **reason);

/* Each writes a whole frame to `to`, where there is room for it, and gives its length. */
#define VT_BINARY_MAX_OPEN (VT_BINARY_HEADER + 4 + 2 * 19)
size_t vt_codec_binary_write_open (uint8_t               *to,
                                   guint32                stream,
                                   guint32                listen_id,
                                   const VtBinaryAddress *user,
                                   const VtBinaryAddress *local);
/* OPENED and EOF. */
size_t vt_codec_binary_write_bare (uint8_t *to, VtBinaryType type, guint32 stream);
#define VT_BINARY_CREDIT_SIZE (VT_BINARY_HEADER + 8)
size_t vt_codec_binary_write_credit (uint8_t *to, guint32 stream, guint64 limit);
#define VT_BINARY_ACK_SIZE (VT_BINARY_HEADER + 8)
size_t vt_codec_binary_write_ack (uint8_t *to, guint64 received);
/* `code` is of VtError; one that does not travel is written as VT_ERROR_FAILED. Of `reason`, which
 * may be NULL, as much is written as fits and ends between characters; what is not UTF-8 in it is
 * replaced. */
#define VT_BINARY_MAX_RESET (VT_BINARY_HEADER + 4 + VT_BINARY_MAX_REASON)
size_t vt_codec_binary_write_reset (uint8_t *to, guint32 stream, int code, const char *reason);
/* Only the header of a DATA frame, VT_BINARY_HEADER bytes. */
void vt_codec_binary_write_data_header (uint8_t *to, guint32 stream, guint32 length);
