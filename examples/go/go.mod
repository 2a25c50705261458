module github.com/ironhoard/ironhoard/examples/go

go 1.24

require github.com/ironhoard/ironhoard/go-bindings v0.0.0

replace github.com/ironhoard/ironhoard/go-bindings => ../../go-bindings
