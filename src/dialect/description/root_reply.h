#pragma once

#include <string>

namespace modelmill::description {

/// What another server answers at GET /.
struct RootReply {
  int status = 404;
  std::string content_type, body;

  bool operator==(const RootReply&) const = default;
};

}  // namespace modelmill::description
