/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-codec-control-fields-private.h"

#include "vt-codec-binary-private.h"

#define MAX_TOKEN 64
#define MAX_TEXT 1024
#define MAX_NAME 255
#define MAX_FRAME (VT_CONTROL_MAX_MESSAGE - VT_BINARY_HEADER)

#define MEMBER(member)                                                                             \
  G_STRUCT_OFFSET (VtControl, member), sizeof (((const VtControl *) NULL)->member)
#define TEXT(member, max) VT_FORM_TEXT, MEMBER (member), 0, max
#define INTEGER(member, min, max) VT_FORM_INTEGER, MEMBER (member), min, max

/* The guard lets no number of more than 18 digits pass, so that 64 bits are never full. */
const VtControlField vt_control_fields[VT_CONTROL_N_FIELDS] = {
  [VT_CONTROL_AGENT] = { "agent", TEXT (agent, MAX_TEXT) },
  [VT_CONTROL_SESSION] = { "session", TEXT (session, MAX_TOKEN) },
  [VT_CONTROL_SECRET] = { "secret", TEXT (secret, MAX_TOKEN) },
  [VT_CONTROL_RESUMED] = { "resumed", VT_FORM_FLAG, MEMBER (resumed), 0, 0 },
  [VT_CONTROL_RECEIVED] = { "received", INTEGER (received, 0, G_MAXINT64) },
  [VT_CONTROL_ATTEMPT] = { "attempt", INTEGER (attempt, 0, G_MAXINT64) },
  [VT_CONTROL_RESUME_TIMEOUT] = { "resume_timeout", INTEGER (resume_timeout, 0, G_MAXUINT32) },
  [VT_CONTROL_WINDOW_LIMIT] = { "window", INTEGER (limits.window, 1, G_MAXUINT32) },
  [VT_CONTROL_FRAME_LIMIT] = { "max_frame", INTEGER (limits.max_frame, 1, MAX_FRAME) },
  [VT_CONTROL_MESSAGE_LIMIT] = { "max_message", INTEGER (limits.max_message,
                                                         VT_CONTROL_MIN_MESSAGE,
                                                         VT_CONTROL_MAX_MESSAGE) },
  [VT_CONTROL_T] = { "t", INTEGER (t, G_MININT64, G_MAXINT64) },
  [VT_CONTROL_ID] = { "id", INTEGER (id, 1, G_MAXUINT32) },
  [VT_CONTROL_LISTEN_KIND] = { "kind", VT_FORM_KIND, MEMBER (kind), 0, 0 },
  [VT_CONTROL_ADDRESS] = { "address", TEXT (address, MAX_TEXT) },
  [VT_CONTROL_PORT] = { "port", INTEGER (port, 0, G_MAXUINT16) },
  [VT_CONTROL_NAMES] = { "names", VT_FORM_NAMES, MEMBER (names), 0, MAX_NAME },
  [VT_CONTROL_URL] = { "url", TEXT (url, MAX_TEXT) },
  [VT_CONTROL_CODE] = { "code", VT_FORM_CODE, MEMBER (code), 0, 0 },
  [VT_CONTROL_ERROR] = { "error", TEXT (error, MAX_TEXT) },
  [VT_CONTROL_RETRY_AFTER] = { "retry_after", INTEGER (retry_after, 0, G_MAXUINT32) },
  [VT_CONTROL_REASON] = { "reason", TEXT (reason, MAX_TEXT) },
  [VT_CONTROL_TIMEOUT] = { "timeout", INTEGER (timeout, 0, G_MAXUINT32) },
};

#define BIT(key) (1U << VT_CONTROL_##key)
#define LIMITS (BIT (WINDOW_LIMIT) | BIT (FRAME_LIMIT) | BIT (MESSAGE_LIMIT))
#define IDENTITY (BIT (SESSION) | BIT (SECRET))

static const struct {
  const char *name; /* static */
  guint32 required;
  guint32 optional;
} types[] = {
  [VT_CONTROL_UNKNOWN] = { "", 0, 0 },
  [VT_CONTROL_HELLO] = { "hello", LIMITS, BIT (AGENT) | IDENTITY | BIT (RECEIVED) | BIT (ATTEMPT) },
  [VT_CONTROL_WELCOME] = { "welcome", IDENTITY | BIT (RESUME_TIMEOUT) | LIMITS,
                           BIT (RESUMED) | BIT (RECEIVED) },
  [VT_CONTROL_PING] = { "ping", BIT (T), 0 },
  [VT_CONTROL_PONG] = { "pong", BIT (T), 0 },
  [VT_CONTROL_LISTEN] = { "listen", BIT (ID),
                          BIT (LISTEN_KIND) | BIT (ADDRESS) | BIT (PORT) | BIT (NAMES) },
  [VT_CONTROL_LISTEN_OK] = { "listen_ok", BIT (ID) | BIT (PORT), BIT (ADDRESS) | BIT (URL) },
  [VT_CONTROL_LISTEN_ERR] = { "listen_err", BIT (ID) | BIT (CODE),
                              BIT (ERROR) | BIT (RETRY_AFTER) },
  [VT_CONTROL_UNLISTEN] = { "unlisten", BIT (ID), 0 },
  [VT_CONTROL_UNLISTEN_OK] = { "unlisten_ok", BIT (ID), 0 },
  [VT_CONTROL_GOAWAY] = { "goaway", 0, BIT (REASON) | BIT (TIMEOUT) },
};

static const char *const kinds[] = {
  [VT_CONTROL_KIND_TCP] = "tcp",
  [VT_CONTROL_KIND_HTTP] = "http",
  [VT_CONTROL_KIND_NONE] = "none",
};

const char *
vt_control_type_to_name (VtControlType type)
{
  return types[type].name;
}

VtControlType
vt_control_type_from_name (const char *name)
{
  for (unsigned int i = 0; i < G_N_ELEMENTS (types); i++)
    if (g_str_equal (name, types[i].name))
      return (VtControlType) i;
  return VT_CONTROL_UNKNOWN;
}

const char *
vt_control_kind_to_name (VtControlKind kind)
{
  g_assert (kind < G_N_ELEMENTS (kinds));
  return kinds[kind];
}

VtControlKind
vt_control_kind_from_name (const char *name)
{
  for (unsigned int i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_str_equal (name, kinds[i]))
      return (VtControlKind) i;
  return VT_CONTROL_KIND_UNKNOWN;
}

guint32
vt_control_get_possible (VtControlType type)
{
  return types[type].required | types[type].optional;
}

guint32
vt_control_get_required (const VtControl *control)
{
  guint32 required = types[control->type].required;

  if (control->type == VT_CONTROL_HELLO && control->session != NULL)
    required |= BIT (SECRET) | BIT (RECEIVED);
  if (control->type == VT_CONTROL_WELCOME && control->resumed)
    required |= BIT (RECEIVED);
  return required;
}
