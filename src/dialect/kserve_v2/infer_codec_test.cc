#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <random>

#include "dialect/kserve_v2/infer_request_codec.h"
#include "dialect/kserve_v2/infer_response_codec.h"
#include "dialect/kserve_v2/infer_scanner.h"
#include "dialect/testing/fakes.h"
#include "grpc_service.pb.h"
#include "serve/testing/fake_version.h"

namespace modelmill::kserve_v2 {
namespace {

using google::protobuf::util::MessageDifferencer;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using ::testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

/// Scans a message in the given pieces.
Status scan(InferScanner& scanner, const std::string& message, const std::vector<size_t>& cuts) {
  scanner.begin(message.size());
  size_t at = 0;
  for (const size_t cut : cuts) {
    scanner.feed(bytes_of(message).subspan(at, cut - at));
    at = cut;
  }
  scanner.feed(bytes_of(message).subspan(at));
  return scanner.end();
}

struct Parsed {
  Status status;
  InferRequestPtr request;
  InferOptions options;
  SharedTensors shared;
};

Parsed parse(const std::string& message, const std::vector<size_t>& cuts = {}) {
  Parsed parsed;
  parsed.request = std::make_unique<InferRequest>(std::make_shared<testing::RecordingSink>());
  InferScanner scanner;
  parsed.status = scan(scanner, message, cuts);
  if (parsed.status.ok()) {
    parsed.status =
        parse_infer_request(scanner.fields(), scanner.raw_contents(), *parsed.request, parsed.options, parsed.shared);
  }
  return parsed;
}

std::string random_text(std::mt19937& random, size_t most) {
  std::string text(random() % (most + 1), ' ');
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  return text;
}

void random_parameter(std::mt19937& random, inference::InferParameter& parameter) {
  switch (random() % 5) {
    case 0: parameter.set_bool_param(random() % 2); break;
    case 1: parameter.set_int64_param(static_cast<int64_t>(random()) - (int64_t{1} << 31)); break;
    case 2: parameter.set_string_param(random_text(random, 20)); break;
    case 3: parameter.set_double_param(random() / 7.0); break;
    default: parameter.set_uint64_param(uint64_t{random()} << 31); break;
  }
}

ModelInferRequest random_request(std::mt19937& random) {
  ModelInferRequest m;
  m.set_model_name("m" + random_text(random, 30));
  if (random() % 2) m.set_model_version(std::to_string(1 + random() % 1000));
  if (random() % 2) m.set_id(random_text(random, 200));
  for (unsigned i = random() % 4; i > 0; --i) {
    random_parameter(random, (*m.mutable_parameters())["p" + random_text(random, 5)]);
  }
  for (unsigned i = random() % 4; i > 0; --i) {
    auto& input = *m.add_inputs();
    input.set_name(random_text(random, 30));
    input.set_datatype("FP32");
    for (unsigned k = random() % 4; k > 0; --k) input.add_shape(random() % 100000);
    m.add_raw_input_contents(random_text(random, random() % 8 == 0 ? 5000 : 40));
  }
  for (unsigned i = random() % 3; i > 0; --i) {
    auto& output = *m.add_outputs();
    output.set_name(random_text(random, 10));
    if (random() % 2) (*output.mutable_parameters())["classification"].set_int64_param(1 + random() % 10);
  }
  return m;
}

ParameterValue value_of(const inference::InferParameter& p) {
  if (p.has_bool_param()) return p.bool_param();
  if (p.has_int64_param()) return int64_t{p.int64_param()};
  if (p.has_string_param()) return p.string_param();
  if (p.has_double_param()) return p.double_param();
  return uint64_t{p.uint64_param()};
}

void expect_same(const InferRequest& request, const ModelInferRequest& m) {
  EXPECT_EQ(request.model, m.model_name());
  EXPECT_EQ(request.version, m.model_version().empty() ? 0 : std::stoll(m.model_version()));
  EXPECT_EQ(request.id, m.id());
  size_t parameters = 0;
  for (const auto& [name, value] : request.parameters) {
    ++parameters;
    EXPECT_EQ(value, value_of(m.parameters().at(name)));
  }
  EXPECT_EQ(parameters, m.parameters().size());
  ASSERT_EQ(request.inputs.size(), static_cast<size_t>(m.inputs_size()));
  for (int i = 0; i < m.inputs_size(); ++i) {
    const Tensor& tensor = request.inputs[i];
    EXPECT_EQ(tensor.name, m.inputs(i).name());
    EXPECT_EQ(dtype_name(tensor.dtype), m.inputs(i).datatype());
    EXPECT_THAT(tensor.shape, ::testing::ElementsAreArray(m.inputs(i).shape()));
    EXPECT_EQ(tensor.data[0].view(), m.raw_input_contents(i));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data[0].data()) % kAlignment, 0u);
  }
  ASSERT_EQ(request.outputs.size(), static_cast<size_t>(m.outputs_size()));
  for (int i = 0; i < m.outputs_size(); ++i) {
    EXPECT_EQ(request.outputs[i].name, m.outputs(i).name());
    const auto classes = m.outputs(i).parameters().find("classification");
    EXPECT_EQ(request.outputs[i].classes,
              classes == m.outputs(i).parameters().end() ? 0 : classes->second.int64_param());
  }
}

TEST(InferRequestCodec, ReadsWhatProtobufWrites) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 500; ++i) {
    const ModelInferRequest m = random_request(random);
    const std::string message = m.SerializeAsString();
    std::vector<size_t> cuts;
    for (unsigned k = random() % 5; k > 0; --k) cuts.push_back(random() % (message.size() + 1));
    std::sort(cuts.begin(), cuts.end());
    const Parsed parsed = parse(message, cuts);
    ASSERT_TRUE(parsed.status.ok()) << parsed.status.to_string();
    expect_same(*parsed.request, m);
  }
}

TEST(InferScanner, EverySplitPositionGivesTheSame) {
  std::mt19937 random(7);
  ModelInferRequest m = random_request(random);
  while (m.inputs_size() < 2 || m.ByteSizeLong() > 600) m = random_request(random);
  const std::string message = m.SerializeAsString();
  for (size_t a = 0; a <= message.size(); ++a) {
    const Parsed parsed = parse(message, {a});
    ASSERT_TRUE(parsed.status.ok()) << a;
    expect_same(*parsed.request, m);
  }
  std::vector<size_t> every;
  for (size_t a = 0; a < message.size(); ++a) every.push_back(a);
  expect_same(*parse(message, every).request, m);
}

TEST(InferScanner, EveryTruncationIsAnErrorOrAMessage) {
  std::mt19937 random(8);
  ModelInferRequest m = random_request(random);
  while (m.inputs_size() < 2 || m.ByteSizeLong() > 600) m = random_request(random);
  const std::string message = m.SerializeAsString();
  for (size_t a = 0; a < message.size(); ++a) {
    const Parsed parsed = parse(message.substr(0, a));
    ModelInferRequest check;
    if (!check.ParseFromString(message.substr(0, a))) {
      EXPECT_EQ(parsed.status.code(), Code::kInvalidArgument) << a;
    }
  }
}

TEST(InferScanner, GarbageNeverCrashes) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 3000; ++i) {
    std::string message = random_request(random).SerializeAsString();
    if (message.empty()) continue;
    for (unsigned k = 1 + random() % 4; k > 0; --k) message[random() % message.size()] = static_cast<char>(random());
    const Parsed parsed = parse(message, {random() % message.size()});
    if (!parsed.status.ok()) {
      EXPECT_FALSE(parsed.status.message().empty());
    }
  }
}

TEST(InferScanner, LengthsThatLieAreRefused) {
  InferScanner scanner;
  const std::string huge("\x3a\xff\xff\xff\xff\x0f", 6);  // a raw content of 4 GiB
  EXPECT_EQ(scan(scanner, huge, {}).code(), Code::kInvalidArgument);
  const std::string endless(12, '\xff');
  EXPECT_EQ(scan(scanner, endless, {}).code(), Code::kInvalidArgument);
  scanner.begin(2);
  scanner.feed(bytes_of("\x08\x01\x08\x01"));  // more than was announced
  EXPECT_EQ(scanner.end().code(), Code::kInvalidArgument);
  EXPECT_TRUE(scan(scanner, "", {}).ok());
}

TEST(InferScanner, BitsThatPassTheirTypeAreDroppedAsProtobufDoes) {
  const std::string message = std::string("\x8a\x80\x80\x80\x70\x01m", 7) + "\x78" + std::string(9, '\xff') + "\x7f";
  ModelInferRequest m;
  ASSERT_TRUE(m.ParseFromString(message));
  const Parsed parsed = parse(message);
  ASSERT_TRUE(parsed.status.ok()) << parsed.status.to_string();
  expect_same(*parsed.request, m);
}

ModelInferRequest with_input(const std::string& dtype) {
  ModelInferRequest m;
  m.set_model_name("m");
  auto& input = *m.add_inputs();
  input.set_name("x");
  input.set_datatype(dtype);
  input.add_shape(2);
  return m;
}

TEST(TypedContents, EveryType) {
  const auto data = [](const ModelInferRequest& m) {
    const Parsed parsed = parse(m.SerializeAsString());
    EXPECT_TRUE(parsed.status.ok()) << parsed.status.to_string();
    return std::string(parsed.request->inputs.at(0).data.at(0).view());
  };
  const auto raw = []<typename T>(std::initializer_list<T> values) {
    return std::string(reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T));
  };
  ModelInferRequest m = with_input("BOOL");
  m.mutable_inputs(0)->mutable_contents()->add_bool_contents(true);
  m.mutable_inputs(0)->mutable_contents()->add_bool_contents(false);
  EXPECT_EQ(data(m), std::string("\1\0", 2));
  for (const auto& [dtype, expected] :
       std::vector<std::pair<std::string, std::string>>{{"INT8", raw({int8_t{-5}, int8_t{7}})},
                                                        {"INT16", raw({int16_t{-5}, int16_t{7}})},
                                                        {"INT32", raw({-5, 7})}}) {
    m = with_input(dtype);
    m.mutable_inputs(0)->mutable_contents()->add_int_contents(-5);
    m.mutable_inputs(0)->mutable_contents()->add_int_contents(7);
    EXPECT_EQ(data(m), expected) << dtype;
  }
  for (const auto& [dtype, expected] :
       std::vector<std::pair<std::string, std::string>>{{"UINT8", raw({uint8_t{200}, uint8_t{7}})},
                                                        {"UINT16", raw({uint16_t{200}, uint16_t{7}})},
                                                        {"UINT32", raw({200u, 7u})}}) {
    m = with_input(dtype);
    m.mutable_inputs(0)->mutable_contents()->add_uint_contents(200);
    m.mutable_inputs(0)->mutable_contents()->add_uint_contents(7);
    EXPECT_EQ(data(m), expected) << dtype;
  }
  m = with_input("INT64");
  m.mutable_inputs(0)->mutable_contents()->add_int64_contents(INT64_MIN);
  EXPECT_EQ(data(m), raw({INT64_MIN}));
  m = with_input("UINT64");
  m.mutable_inputs(0)->mutable_contents()->add_uint64_contents(UINT64_MAX);
  EXPECT_EQ(data(m), raw({UINT64_MAX}));
  m = with_input("FP32");
  m.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1.5f);
  EXPECT_EQ(data(m), raw({1.5f}));
  m = with_input("FP64");
  m.mutable_inputs(0)->mutable_contents()->add_fp64_contents(1.5);
  EXPECT_EQ(data(m), raw({1.5}));
  m = with_input("BYTES");
  m.mutable_inputs(0)->mutable_contents()->add_bytes_contents("ab");
  m.mutable_inputs(0)->mutable_contents()->add_bytes_contents("");
  EXPECT_EQ(data(m), std::string("\2\0\0\0ab\0\0\0\0", 10));
}

TEST(InferRequestCodec, RefusesInTritonsWords) {
  const auto message = [](const ModelInferRequest& m) { return parse(m.SerializeAsString()).status.message(); };
  ModelInferRequest m = with_input("FP32");
  EXPECT_EQ(message(m), "unable to find data for input tensor 'x' for model 'm' in request.");
  m.mutable_inputs(0)->mutable_contents()->add_int_contents(1);
  EXPECT_EQ(
      message(m),
      "unexpected explicit tensor data for input tensor 'x' for model 'm' of type 'INT32', expected datatype 'FP32'");
  m.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(message(m), HasSubstr("binary data was already supplied."));
  m.add_raw_input_contents("xxxx");
  EXPECT_EQ(message(m), "contents field must not be specified when using raw_input_contents for 'x' for model 'm'");
  m = with_input("FP32");
  m.add_raw_input_contents("");
  m.add_raw_input_contents("");
  EXPECT_THAT(message(m), HasSubstr("unexpected additional input data for model 'm'"));
  m = with_input("FP99");
  EXPECT_THAT(message(m), HasSubstr("datatype 'FP99'"));
  m = with_input("FP32");
  m.set_model_version("-1");
  EXPECT_THAT(message(m), HasSubstr("failed to get model version from specified version string '-1'"));
  m = with_input("FP16");
  m.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(message(m), HasSubstr("raw_input_contents"));
}

TEST(InferRequestCodec, ParametersOfTheProtocol) {
  ModelInferRequest m;
  m.set_model_name("m");
  auto& p = *m.mutable_parameters();
  p["sequence_id"].set_string_param("s");
  p["sequence_start"].set_bool_param(true);
  p["sequence_end"].set_bool_param(true);
  p["priority"].set_uint64_param(3);
  p["timeout"].set_int64_param(1500);
  p["triton_enable_empty_final_response"].set_bool_param(true);
  p["mine"].set_double_param(0.5);
  const Parsed parsed = parse(m.SerializeAsString());
  ASSERT_TRUE(parsed.status.ok()) << parsed.status.to_string();
  EXPECT_EQ(std::get<std::string>(parsed.request->sequence.id), "s");
  EXPECT_TRUE(parsed.request->sequence.start && parsed.request->sequence.end);
  EXPECT_EQ(parsed.request->priority, 3u);
  EXPECT_EQ(parsed.request->timeout, std::chrono::microseconds(1500));
  EXPECT_TRUE(parsed.options.empty_final_response);
  EXPECT_EQ(std::get<double>(*parsed.request->parameters.find("mine")), 0.5);
  p["triton_other"].set_bool_param(true);
  EXPECT_THAT(parse(m.SerializeAsString()).status.message(), HasSubstr("reserved for Triton usage"));
}

InferResponse random_response(std::mt19937& random) {
  InferResponse response;
  response.version = random() % 300;
  for (unsigned i = random() % 3; i > 0; --i) {
    inference::InferParameter p;
    random_parameter(random, p);
    response.parameters.set("p" + std::to_string(i), value_of(p));
  }
  for (unsigned i = random() % 4; i > 0; --i) {
    Tensor& tensor = response.outputs.emplace_back();
    tensor.name = random_text(random, 20);
    tensor.dtype = DataType::kUint8;
    for (unsigned k = random() % 4; k > 0; --k) tensor.shape.push_back(random() % 100000);
    for (unsigned k = 1 + random() % 2; k > 0; --k) {
      tensor.data.push_back(Bytes::copy_of(random_text(random, random() % 4 == 0 ? 3000 : 50)));
    }
  }
  return response;
}

ModelInferResponse expected_of(const InferResponse& response, const ResponseHead& head) {
  ModelInferResponse m;
  m.set_model_name(std::string(head.model));
  if (head.version != 0) m.set_model_version(std::to_string(head.version));
  m.set_id(std::string(head.id));
  for (const auto& [name, value] : response.parameters) {
    auto& p = (*m.mutable_parameters())[name];
    if (const auto* v = std::get_if<bool>(&value)) p.set_bool_param(*v);
    if (const auto* v = std::get_if<int64_t>(&value)) p.set_int64_param(*v);
    if (const auto* v = std::get_if<uint64_t>(&value)) p.set_uint64_param(*v);
    if (const auto* v = std::get_if<double>(&value)) p.set_double_param(*v);
    if (const auto* v = std::get_if<std::string>(&value)) p.set_string_param(*v);
  }
  for (const Tensor& tensor : response.outputs) {
    auto& output = *m.add_outputs();
    output.set_name(tensor.name);
    output.set_datatype("UINT8");
    for (const int64_t d : tensor.shape) output.add_shape(d);
    m.add_raw_output_contents(std::string(tensor.contiguous().view()));
  }
  return m;
}

TEST(InferResponseCodec, WritesWhatProtobufReads) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 500; ++i) {
    const InferResponse response = random_response(random);
    const std::string model = random_text(random, 30), id = random_text(random, 10);
    const ResponseHead head{model, response.version, id};
    const ModelInferResponse expected = expected_of(response, head);
    ModelInferResponse read;
    ASSERT_TRUE(read.ParseFromString(testing::joined(encode_infer_response(response, head))));
    EXPECT_TRUE(MessageDifferencer::Equals(read, expected));
    inference::ModelStreamInferResponse stream;
    const std::string error = random_text(random, 30);
    ASSERT_TRUE(stream.ParseFromString(testing::joined(encode_stream_response(response, head, error))));
    EXPECT_EQ(stream.error_message(), error);
    EXPECT_TRUE(MessageDifferencer::Equals(stream.infer_response(), expected));
  }
}

TEST(InferResponseCodec, LargeTensorsAreNotCopied) {
  InferResponse response;
  Tensor& tensor = response.outputs.emplace_back();
  tensor.name = "y";
  tensor.dtype = DataType::kUint8;
  tensor.shape = {5000};
  tensor.data.push_back(Bytes::from_string(std::string(5000, 'x')));
  const Chunks chunks = encode_infer_response(response, {"m", 1, ""});
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[1].data(), tensor.data[0].data());
  tensor.data[0] = Bytes::from_string(std::string(64, 'x'));
  EXPECT_EQ(encode_infer_response(response, {"m", 1, ""}).size(), 1u);
}

}  // namespace
}  // namespace modelmill::kserve_v2
