/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-close-code-private.h"

#include <glib/gi18n-lib.h>
#include <libsoup/soup.h>

#include "vt-error-private.h"
#include "vt-text-private.h"

static int
get_error_code (unsigned int code)
{
  switch (code)
    {
    case SOUP_WEBSOCKET_CLOSE_GOING_AWAY:
      return VT_ERROR_SHUTTING_DOWN;
    case SOUP_WEBSOCKET_CLOSE_PROTOCOL_ERROR:
    case SOUP_WEBSOCKET_CLOSE_UNSUPPORTED_DATA:
    case SOUP_WEBSOCKET_CLOSE_BAD_DATA:
      return VT_ERROR_PROTOCOL;
    case SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION:
    case SOUP_WEBSOCKET_CLOSE_TOO_BIG:
    case VT_CLOSE_TRY_AGAIN:
      return VT_ERROR_LIMIT;
    default:
      return VT_ERROR_FAILED;
    }
}

/* Where the other side has said why it goes, it does not matter whether the link was still there
 * for the answer; where it has broken the rules, it does not matter what it said. */
static gboolean
is_decided_by_error (unsigned int code, const GError *error)
{
  if (error == NULL)
    return FALSE;
  return code == 0 || g_error_matches (error, VT_ERROR, VT_ERROR_PROTOCOL)
         || g_error_matches (error, VT_ERROR, VT_ERROR_LIMIT);
}

GError *
vt_close_code_to_error (unsigned int code, const char *reason, const GError *error)
{
  g_autofree char *escaped = NULL;

  if (is_decided_by_error (code, error))
    return vt_error_from_platform (error, VT_ERROR_FAILED);
  /* No code at all is how a program says that it has nothing to add. */
  if (code == 0 || code == SOUP_WEBSOCKET_CLOSE_NORMAL || code == SOUP_WEBSOCKET_CLOSE_NO_STATUS)
    return NULL;
  if (code == VT_CLOSE_REPLACED)
    return g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED,
                                _ ("Another connection has taken over the session"));
  if (reason == NULL || *reason == '\0')
    return g_error_new (VT_ERROR, get_error_code (code),
                        _ ("The other side closed the tunnel (code %u)"), code);
  escaped = vt_text_escape (reason, -1);
  return g_error_new (VT_ERROR, get_error_code (code),
                      _ ("The other side closed the tunnel (code %u): %s"), code, escaped);
}

unsigned int
vt_close_code_for_error (const GError *error)
{
  if (g_error_matches (error, VT_ERROR, VT_ERROR_LIMIT))
    return SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION;
  if (g_error_matches (error, VT_ERROR, VT_ERROR_TIMED_OUT)
      || g_error_matches (error, VT_ERROR, VT_ERROR_SHUTTING_DOWN))
    return SOUP_WEBSOCKET_CLOSE_GOING_AWAY;
  return SOUP_WEBSOCKET_CLOSE_PROTOCOL_ERROR;
}

gboolean
vt_close_code_allows_resuming (unsigned int code, const GError *error)
{
  if (is_decided_by_error (code, error))
    return !g_error_matches (error, VT_ERROR, VT_ERROR_PROTOCOL)
           && !g_error_matches (error, VT_ERROR, VT_ERROR_LIMIT);

  switch (code)
    {
    case SOUP_WEBSOCKET_CLOSE_NORMAL:
    case SOUP_WEBSOCKET_CLOSE_PROTOCOL_ERROR:
    case SOUP_WEBSOCKET_CLOSE_UNSUPPORTED_DATA:
    case SOUP_WEBSOCKET_CLOSE_BAD_DATA:
    case SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION:
    case SOUP_WEBSOCKET_CLOSE_TOO_BIG:
    case VT_CLOSE_REPLACED:
      return FALSE;
    default:
      return TRUE;
    }
}
