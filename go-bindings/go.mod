module github.com/ironhoard/ironhoard/go-bindings

go 1.24
