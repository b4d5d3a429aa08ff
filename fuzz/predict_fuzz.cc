// /predict with JSON, CSV and .npy: each request gets one answer, of the format that it asked for.
#include <array>
#include <string>

#include "base/check.h"
#include "dialect/predict/service.h"
#include "dialect_rig.h"
#include "input.h"
#include "targets.h"
#include "tensor/csv.h"
#include "tensor/npy.h"

namespace modelmill::fuzz {
namespace {

constexpr std::array kFormats = {"", "application/json", "text/csv", "application/x-npy"};

}  // namespace

void predict(std::string_view bytes) {
  static DialectRig rig;
  static const wire::HttpHandler handler = predict::make_handler(rig.inference());
  Input input(bytes);
  wire::HttpRequest request;
  request.method = "POST";
  request.path = "/predict/" + DialectRig::model_name(input.choice());
  request.headers.emplace_back("content-type", kFormats[input.choice_of(kFormats.size())]);
  request.headers.emplace_back("accept", kFormats[input.choice_of(kFormats.size())]);
  if (input.choice_of(4) == 3) request.query = "output=y";
  request.body = Bytes::copy_of(input.content());
  const wire::HttpReply reply = rig.ask(handler, std::move(request));
  const std::string body = joined(reply.body);
  const std::string_view type = header_of(reply, "content-type");
  if (type == "application/x-npy") {
    const auto array = parse_npy(Bytes::copy_of(body));
    MM_CHECK(array.ok() && check_tensor_bytes(*array).ok(), "an answer that NumPy reads");
  } else if (type.starts_with("text/csv")) {
    MM_CHECK(parse_csv(body).ok() || body.empty(), "an answer that is CSV");
  } else {
    check_json(body, true);
  }
}

}  // namespace modelmill::fuzz
