#pragma once

#include <string>
#include <string_view>

namespace modelmill::fuzz {

/// The client's bytes of an HTTP/2 connection from a script, so that mutations hit what frames say rather than break
/// their lengths. A script is a list of commands, each begun by a byte:
///   0x00-0x3f  a frame of that type (modulo 16): flags, stream, payload
///   0x40-0x7f  a request of the table (see request_count()) on the next stream: one byte, odd to end the stream
///   0x80-0xbf  DATA on a stream begun before (low 3 bits: how long ago); 8: ends the stream, 16: as a gRPC message,
///              32: which says it is compressed; payload
///   0xc0-0xff  bytes as they are: payload
/// A payload is its length and its bytes; lengths of 0xf0 and above mean so many KB of the byte that follows.
std::string http2_stream(std::string_view script);

/// How many requests the table has.
size_t request_count();

/// Reads a server's side strictly; CHECKs that frames and header blocks are well formed, that each stream's answer ends
/// at most once and nothing of it follows its end.
void check_http2_answers(std::string_view sent);

}  // namespace modelmill::fuzz
