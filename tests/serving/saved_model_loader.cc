// TensorFlow Serving's own loader in a few lines: loads a SavedModel by the tag "serve" and prints mu of one image by
// serving_default, then of one example by serialized_example.
//   loader SAVED_MODEL IMAGE.f32 SIDE EXAMPLE
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"

using tensorflow::Tensor;

static std::string bytes_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

int main(int count, char** words) {
  if (count != 5) return 2;
  tensorflow::SavedModelBundle bundle;
  auto status = tensorflow::LoadSavedModel({}, {}, words[1], {"serve"}, &bundle);
  if (!status.ok()) { std::fprintf(stderr, "%s\n", status.ToString().c_str()); return 1; }

  const int side = std::atoi(words[3]);
  const std::string pixels = bytes_of(words[2]);
  Tensor image(tensorflow::DT_FLOAT, {1, side, side}), zero_point(tensorflow::DT_FLOAT, {1}), scale(tensorflow::DT_FLOAT, {1});
  std::memcpy(image.flat<float>().data(), pixels.data(), pixels.size());
  zero_point.flat<float>()(0) = 22.5f;
  scale.flat<float>()(0) = 0.4f;
  Tensor example(tensorflow::DT_STRING, {1});
  example.flat<tensorflow::tstring>()(0) = bytes_of(words[4]);
  const std::vector<std::pair<std::string, std::vector<std::pair<std::string, Tensor>>>> requests = {
      {"serving_default", {{"image", image}, {"zero_point", zero_point}, {"pixel_scale", scale}}},
      {"serialized_example", {{"examples", example}}}};

  for (const auto& [name, tensors] : requests) {
    const auto& signature = bundle.meta_graph_def.signature_def().at(name);
    std::vector<std::pair<std::string, Tensor>> inputs;
    for (const auto& [key, tensor] : tensors) inputs.emplace_back(signature.inputs().at(key).name(), tensor);
    std::vector<Tensor> outputs;
    status = bundle.GetSession()->Run(inputs, {signature.outputs().at("mu").name()}, {}, &outputs);
    if (!status.ok()) { std::fprintf(stderr, "%s\n", status.ToString().c_str()); return 1; }
    const auto mu = outputs[0].flat<float>();
    for (int i = 0; i < mu.size(); ++i) std::printf("%.7g\n", mu(i));
  }
  return 0;
}
