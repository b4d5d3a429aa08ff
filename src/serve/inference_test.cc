#include "serve/inference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "serve/testing/fake_version.h"

namespace modelmill {
namespace {

using testing::FakeCatalog;
using ::testing::HasSubstr;
using testing::RecordingSink;
using testing::simple_description;

/// A model with the entry points "first", which gives y, and "second", which takes and gives z.
class EntryPoints : public ::testing::Test {
 protected:
  EntryPoints() {
    auto first = simple_description("m");
    first.signature_name = "first";
    catalog_.add(first);
    auto second = simple_description("m");
    second.signature_name = "second";
    second.signature.inputs[0].name = second.signature.outputs[0].name = "z";
    catalog_.add_signature("m", second);
    catalog_.add(simple_description("nameless"));
  }

  InferResponse ask(const std::string& model, const std::string& input, const ParameterValue* signature) {
    const auto sink = std::make_shared<RecordingSink>();
    auto request = std::make_unique<InferRequest>(sink);
    request->model = model;
    request->inputs.push_back(
        {input, DataType::kFp32, {1, 4}, {Bytes::from_string(std::string(4 * sizeof(float), '\0'))}});
    if (signature != nullptr) request->parameters.set(std::string(kSignatureParameter), *signature);
    Inference(catalog_.catalog()).submit(std::move(request));
    EXPECT_EQ(sink->finals, 1);
    EXPECT_EQ(catalog_.catalog().table()->find(model)->versions[0]->gate().inside_approx(), 0U);
    return sink->responses.at(0);
  }
  InferResponse ask(const std::string& model, const std::string& input, const ParameterValue& signature) {
    return ask(model, input, &signature);
  }

  FakeCatalog catalog_;
};

TEST_F(EntryPoints, ARequestNamesOne) {
  EXPECT_EQ(ask("m", "x", nullptr).outputs.at(0).name, "y");
  EXPECT_EQ(ask("m", "x", std::string("first")).outputs.at(0).name, "y");
  EXPECT_EQ(ask("m", "z", std::string("second")).outputs.at(0).name, "z");
}

TEST_F(EntryPoints, InputsAreThoseOfTheOneThatIsNamed) {
  EXPECT_THAT(ask("m", "z", nullptr).status.message(), HasSubstr("unexpected inference input 'z'"));
  EXPECT_THAT(ask("m", "x", std::string("second")).status.message(), HasSubstr("unexpected inference input 'x'"));
}

TEST_F(EntryPoints, OthersAreRefused) {
  const Status none = ask("m", "x", std::string("third")).status;
  EXPECT_EQ(none.code(), Code::kInvalidArgument);
  EXPECT_THAT(none.message(), HasSubstr("serves no signature 'third'; it serves 'first', 'second'"));
  EXPECT_THAT(ask("m", "x", int64_t{1}).status.message(), HasSubstr("must be a string"));
}

TEST(OpenSignatures, OthersAreNotToldWhatWasSaidBesideTensors) {
  FakeCatalog catalog;
  std::vector<std::vector<std::string>> told;
  for (const bool open : {true, false}) {
    auto description = simple_description(open ? "open" : "plain");
    description.signature.open = open;
    catalog.add(description, [&told, description](InferRequestPtr request) {
      auto& names = told.emplace_back();
      for (const auto& [name, value] : request->parameters) names.push_back(name);
      testing::echo(description, std::move(request));
    });
  }
  Inference inference(catalog.catalog());
  for (const char* model : {"open", "plain"}) {
    auto request = std::make_unique<InferRequest>(std::make_shared<RecordingSink>());
    request->model = model;
    request->inputs.push_back({"x", DataType::kFp32, {1, 4}, {Bytes::from_string(std::string(16, '\0'))}});
    for (const char* name : {"a", "modelmill_request", "b"}) request->parameters.set(name, int64_t{1});
    inference.submit(std::move(request));
  }
  EXPECT_EQ(told, (std::vector<std::vector<std::string>>{{"a", "modelmill_request", "b"}, {"a", "b"}}));
}

TEST_F(EntryPoints, OfModelsWithoutNamesTheParameterIsTheirOwn) {
  EXPECT_TRUE(ask("nameless", "x", std::string("third")).status.ok());
}

}  // namespace
}  // namespace modelmill
