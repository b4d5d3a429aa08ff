#pragma once

#include <string>

#include "cli/verify/json_difference.h"
#include "client/http_client.h"

namespace modelmill {

/// Where two answers to the request of `path` differ: in their status, their type, or their bodies. JSON is compared by
/// its structure, binary tensors of the V2 protocol by their numbers, all else byte by byte. Not compared: other
/// headers, a top-level `id`, what the server calls itself at /v2, and the wording of errors.
AnswerDifferences compare_answers(const std::string& path, const ClientReply& expected, const ClientReply& got,
                                  ComparisonRules rules);

}  // namespace modelmill
