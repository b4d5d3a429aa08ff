#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "dialect/invocations/body_form.h"
#include "dialect/kserve_v2/http_infer_call.h"
#include "dialect/tfserving/json_predict.h"

namespace modelmill::invocations {

/// One inference whose body says whose request it is; the answer, or error, is as that one's server gives it.
class InvocationsCall final : public kserve_v2::V2Call {
 public:
  /// `binary`: the media type (kserve_v2/binary_type.h) of answers with binary tensors, where the request does not say.
  InvocationsCall(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model,
                  const kserve_v2::SharedRegions& regions, std::string_view binary)
      : V2Call(inference, std::move(exchange), std::move(model), regions, binary) {}

 private:
  Status parse(const Bytes& body, const ModelVersion& version, InferRequest& request) override;
  wire::HttpReply write(InferResponse response) override;
  Result<std::string> write_values(const InferResponse& response) const;
  wire::HttpReply failure(const Status& status) const;

  BodyForm form_ = BodyForm::kUnknown;
  tfserving::JsonFormat format_ = tfserving::JsonFormat::kRow;
};

}  // namespace modelmill::invocations
