#pragma once

#include <string>
#include <vector>

#include "cli/verify/answer_difference.h"
#include "cli/verify/recorded_request.h"
#include "cli/verify/request_speed.h"

namespace modelmill {

/// What came of one request.
struct VerifiedRequest {
  std::string place;
  std::string call;     // "POST /v2/models/ocr/infer"
  std::string failure;  // why there is no pair of answers; empty: there is
  AnswerDifferences differences;
};

struct VerifyReport {
  std::vector<VerifiedRequest> requests;
  std::string against, with;  // URLs
  RequestSpeed against_speed, with_speed;

  size_t failed() const;
  size_t different() const;
  bool all_same() const { return failed() == 0 && different() == 0; }
};

std::string verify_text(const VerifyReport& report);
std::string verify_json(const VerifyReport& report);

}  // namespace modelmill
