:- module(util, []).
