#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace modelmill::fuzz {

/// One reply as a client reads it.
struct Http1Reply {
  int status = 0;
  int number = -1;  // of its header "n", by which the handler says what it answers; -1 without
  bool complete = false;
  bool closes = false;
  std::string body;
};

/// Reads a server's side of an HTTP/1 connection strictly; CHECKs that it consists of whole replies, but for the last.
/// `without_body(number)`: whether that reply is one to HEAD.
std::vector<Http1Reply> read_http1_replies(std::string_view sent, const std::function<bool(int number)>& without_body);

}  // namespace modelmill::fuzz
