/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-keys.h"

enum {
  PLAIN,
  ESCAPED,  /* after ESC */
  SEQUENCE, /* after ESC [ or ESC O, until a letter or "~" */
};

static VtToolKey
get_plain (char byte)
{
  switch (byte)
    {
    case 'q':
    case 'Q':
      return VT_TOOL_KEY_QUIT;
    case 'k':
      return VT_TOOL_KEY_UP;
    case 'j':
      return VT_TOOL_KEY_DOWN;
    case 'b':
      return VT_TOOL_KEY_PAGE_UP;
    case ' ':
      return VT_TOOL_KEY_PAGE_DOWN;
    case 'g':
      return VT_TOOL_KEY_HOME;
    case 'G':
      return VT_TOOL_KEY_END;
    default:
      return VT_TOOL_KEY_NONE;
    }
}

static VtToolKey
get_numbered (unsigned int number)
{
  switch (number)
    {
    case 1:
    case 7:
      return VT_TOOL_KEY_HOME;
    case 4:
    case 8:
      return VT_TOOL_KEY_END;
    case 5:
      return VT_TOOL_KEY_PAGE_UP;
    case 6:
      return VT_TOOL_KEY_PAGE_DOWN;
    default:
      return VT_TOOL_KEY_NONE;
    }
}

static VtToolKey
get_final (unsigned int number, char byte)
{
  switch (byte)
    {
    case 'A':
      return VT_TOOL_KEY_UP;
    case 'B':
      return VT_TOOL_KEY_DOWN;
    case 'H':
      return VT_TOOL_KEY_HOME;
    case 'F':
      return VT_TOOL_KEY_END;
    case '~':
      return get_numbered (number);
    default:
      return VT_TOOL_KEY_NONE;
    }
}

static VtToolKey
read_sequence (VtToolKeys *self, char byte)
{
  if (g_ascii_isdigit (byte))
    {
      self->number = MIN (self->number, 1000) * 10 + (unsigned int) (byte - '0');
      return VT_TOOL_KEY_NONE;
    }
  /* Between parameters, and everything else that is no end. */
  if (byte >= 0x20 && byte < 0x40)
    return VT_TOOL_KEY_NONE;
  self->state = PLAIN;
  return get_final (self->number, byte);
}

VtToolKey
vt_tool_keys_read (VtToolKeys *self, char byte)
{
  if (byte == '\033')
    {
      self->state = ESCAPED;
      self->number = 0;
      return VT_TOOL_KEY_NONE;
    }
  if (self->state == SEQUENCE)
    return read_sequence (self, byte);
  if (self->state == ESCAPED)
    {
      self->state = byte == '[' || byte == 'O' ? SEQUENCE : PLAIN;
      return VT_TOOL_KEY_NONE;
    }
  return get_plain (byte);
}
