#pragma once

#include <string>

namespace modelmill::torchserve {

/// The names of what tells of sequences: of a request's inputs, and of the headers that a handler finds.
struct SequenceNames {
  std::string id = "ts_request_sequence_id";
  std::string start = "ts_request_sequence_start";
  std::string end = "ts_request_sequence_end";
};

}  // namespace modelmill::torchserve
