/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-negotiation-private.h"

#include "vt-text-private.h"
#include "vt-trunk-private.h"

#define VARIABLE "VT_PROTOCOL"
#define FIELD VT_NEGOTIATION_FIELD

unsigned int
vt_negotiation_limit (unsigned int max_protocol)
{
  static gboolean told;
  const char *text = g_getenv (VARIABLE);
  g_autofree char *escaped = NULL;

  if (text == NULL || g_str_equal (text, "2"))
    return max_protocol;
  if (g_str_equal (text, "1"))
    return 1;
  if (!told)
    {
      escaped = vt_text_escape (text, -1);
      g_message (VARIABLE " is “%s”, which is no version of the protocol: 1 and 2 are", escaped);
      told = TRUE;
    }
  return max_protocol;
}

const char *const *
vt_negotiation_get_subprotocols (unsigned int max_protocol)
{
  static const char *const subprotocols[] = { VT_TRUNK_V2, NULL };

  return max_protocol >= 2 ? subprotocols : NULL;
}

/* The lines of the field are one list. */
static gboolean
is_offered (SoupMessageHeaders *request, const char *subprotocol)
{
  const char *text = soup_message_headers_get_list (request, FIELD);
  GSList *offered = text != NULL ? soup_header_parse_list (text) : NULL;
  gboolean found = FALSE;

  for (GSList *l = offered; l != NULL && !found; l = l->next)
    found = g_str_equal (l->data, subprotocol);
  soup_header_free_list (offered);
  return found;
}

unsigned int
vt_negotiation_find (SoupServerMessage *message, unsigned int max_protocol)
{
  SoupMessageHeaders *request = soup_server_message_get_request_headers (message);

  return max_protocol >= 2 && is_offered (request, VT_TRUNK_V2) ? 2 : 1;
}

void
vt_negotiation_select (SoupServerMessage *message, unsigned int max_protocol)
{
  SoupMessageHeaders *answer = soup_server_message_get_response_headers (message);

  /* An application that the server is attached to may have written one of its own. */
  soup_message_headers_remove (answer, FIELD);
  if (vt_negotiation_find (message, max_protocol) == 2)
    soup_message_headers_append (answer, FIELD, VT_TRUNK_V2);
}

unsigned int
vt_negotiation_get_protocol (SoupWebsocketConnection *connection)
{
  return g_strcmp0 (soup_websocket_connection_get_protocol (connection), VT_TRUNK_V2) == 0 ? 2 : 1;
}
