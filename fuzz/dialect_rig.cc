#include "dialect_rig.h"

#include <array>
#include <memory>
#include <utility>

#include "base/check.h"
#include "dialect/json_input.h"
#include "wire/http_text.h"

namespace modelmill::fuzz {
namespace {

constexpr std::array kTypes = {DataType::kFp32,   DataType::kBytes,  DataType::kBool,   DataType::kUint8,
                               DataType::kUint16, DataType::kUint32, DataType::kUint64, DataType::kInt8,
                               DataType::kInt16,  DataType::kInt32,  DataType::kInt64,  DataType::kFp16,
                               DataType::kFp64,   DataType::kBf16};

/// Keeps the one answer.
class Exchange final : public wire::HttpExchange {
 public:
  Exchange(wire::Loop& loop, wire::HttpRequest request) : loop_(loop), request_(std::move(request)) {}
  wire::HttpRequest& request() override { return request_; }
  wire::Loop& loop() override { return loop_; }
  void reply(wire::HttpReply reply) override {
    MM_CHECK(answers++ == 0, "answered once");
    answer = std::move(reply);
  }
  void begin(wire::HttpReply) override { MM_CHECK(false, "none of these answers is streamed"); }
  void write(Chunks) override {}
  void end() override {}
  void on_abandoned(std::function<void()>) override {}

  wire::HttpReply answer;
  int answers = 0;

 private:
  wire::Loop& loop_;
  wire::HttpRequest request_;
};

ModelVersion::Description unbatched(std::string name, Signature signature) {
  ModelVersion::Description description = testing::simple_description(std::move(name));
  description.definition.max_batch_size = 0;
  description.signature = std::move(signature);
  return description;
}

}  // namespace

DialectRig::DialectRig() : inference_(catalog_.catalog()) {
  for (const DataType dtype : kTypes)
    catalog_.add(unbatched(std::string(dtype_name(dtype)),
                           {{{"x", dtype, {-1, -1}, {}, false}}, {{"y", dtype, {-1, -1}, {}, false}}}));
  catalog_.add(
      unbatched("pair", {{{"a", DataType::kInt32, {2}, {}, false}, {"b", DataType::kFp64, {1, 2}, {}, true}},
                         {{"c", DataType::kInt32, {2}, {}, false}, {"d", DataType::kFp64, {1, 2}, {}, false}}}));
  catalog_.add(testing::simple_description("batched"));
  add_embedding_models();
}

void DialectRig::add_embedding_models() {
  const auto zeros = [](InferRequestPtr request) {
    const int64_t rows = request->inputs[0].shape[0];
    InferResponse response;
    for (const RequestedOutput& output : request->outputs) {
      const bool counts = output.name == "token_count";
      Tensor& tensor = response.outputs.emplace_back();
      tensor.name = output.name;
      tensor.dtype = counts ? DataType::kInt64 : DataType::kFp32;
      tensor.shape = counts ? Shape{rows} : Shape{rows, 2};
      tensor.data.push_back(Bytes::copy_of(std::string(static_cast<size_t>(rows) * 8, '\0')));
    }
    request->complete(std::move(response));
  };
  const TensorSpec vectors{"embedding", DataType::kFp32, {-1, 2}, {}, false};
  const TensorSpec counts{"token_count", DataType::kInt64, {-1}, {}, false};
  const TensorSpec mask{"attention_mask", DataType::kInt32, {-1, -1}, {}, false};
  catalog_.add(unbatched("texts", {{{"text", DataType::kBytes, {-1}, {}, false}}, {vectors, counts}}), zeros);
  catalog_.add(unbatched("tokens", {{{"ids", DataType::kInt32, {-1, -1}, {}, false}}, {vectors}}), zeros);
  catalog_.add(unbatched("masked", {{{"ids", DataType::kInt64, {-1, -1}, {}, false}, mask}, {vectors}}), zeros);
}

std::string DialectRig::model_name(size_t choice) {
  choice %= kTypes.size() + 2;
  if (choice < kTypes.size()) return std::string(dtype_name(kTypes[choice]));
  return choice == kTypes.size() ? "pair" : "batched";
}

wire::HttpReply DialectRig::ask(const wire::HttpHandler& handler, wire::HttpRequest request) {
  const auto exchange = std::make_shared<Exchange>(loop_, std::move(request));
  loop_.post([&] { handler(exchange); });
  loop_.run_ready();
  MM_CHECK(exchange->answers == 1, "answered");
  MM_CHECK(exchange.use_count() == 1, "and nobody holds the exchange");
  return std::move(exchange->answer);
}

std::string joined(const Chunks& chunks) {
  std::string all;
  for (const Bytes& bytes : chunks) all += bytes.view();
  return all;
}

std::string_view header_of(const wire::HttpReply& reply, std::string_view name) {
  for (const auto& [key, value] : reply.headers)
    if (wire::equals_ignoring_case(key, name)) return value;
  return "";
}

void check_json(std::string_view text, bool numbers_of_python) {
  simdjson::dom::parser parser;
  if (numbers_of_python)
    MM_CHECK(parse_json(parser, text, text.size()).ok(), "JSON");
  else
    MM_CHECK(parser.parse(simdjson::padded_string(text)).error() == simdjson::SUCCESS, "JSON");
}

}  // namespace modelmill::fuzz
