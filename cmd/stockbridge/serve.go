package main

type serveCommand struct{}

func (c *serveCommand) Run(i *invocation) (err error) { return nil }

type demoCommand struct{}

func (c *demoCommand) Run(i *invocation) (err error) { return nil }
