#pragma once

#include <string>
#include <string_view>

#include "serve/inference.h"
#include "serve/testing/fake_version.h"
#include "wire/http.h"

namespace modelmill::fuzz {

/// Models that give back what they get, and a way to ask a dialect's handler about them: no sockets, and a loop that is
/// driven by hand.
class DialectRig {
 public:
  /// One model for each type, named as the type, with input "x" and output "y" of shape [-1,-1]; "pair" with two of
  /// fixed shapes; "batched" with a batch dimension; "texts", "tokens" and "masked" make vectors of those.
  DialectRig();

  Inference& inference() { return inference_; }
  /// CHECKs that there is exactly one answer.
  wire::HttpReply ask(const wire::HttpHandler& handler, wire::HttpRequest request);

  static std::string model_name(size_t choice);

 private:
  void add_embedding_models();

  testing::FakeCatalog catalog_;
  Inference inference_;
  wire::Loop loop_;
};

std::string joined(const Chunks& chunks);
/// `name` is in lower case.
std::string_view header_of(const wire::HttpReply& reply, std::string_view name);
/// CHECKs that it is one JSON document; NaN and infinities, which JSON lacks, may stand in it if `numbers_of_python`.
void check_json(std::string_view text, bool numbers_of_python);

}  // namespace modelmill::fuzz
